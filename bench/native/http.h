// As much of HTTP/1.1 as the load needs: one request, and how long its answer is.
#pragma once

#include <stddef.h>
#include <stdint.h>

// A POST with that many bytes behind its head; a GET if there are none. The caller frees it.
uint8_t *http_request(size_t body, size_t *size);

// Of head and body, by the first bytes of a response; ends the program if they are none.
size_t http_response_length(const uint8_t *bytes, size_t count);
