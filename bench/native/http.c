#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common.h"

#define HEAD_ROOM 128

uint8_t *http_request(size_t body, size_t *size) {
  uint8_t *request = malloc(HEAD_ROOM + body);
  if (request == NULL) stop("memory");
  char *head = (char *)request;
  int length = snprintf(head, HEAD_ROOM, "%s / HTTP/1.1\r\nHost: localhost\r\n", body == 0 ? "GET" : "POST");
  if (body != 0) length += snprintf(head + length, HEAD_ROOM - (size_t)length, "Content-Length: %zu\r\n", body);
  length += snprintf(head + length, HEAD_ROOM - (size_t)length, "\r\n");
  memset(request + length, 'x', body);
  *size = (size_t)length + body;
  return request;
}

size_t http_response_length(const uint8_t *bytes, size_t count) {
  const char *head = (const char *)bytes;
  const char *end = memmem(head, count, "\r\n\r\n", 4);
  const char *length = end == NULL ? NULL : memmem(head, (size_t)(end - head), "ontent-", 7);
  while (length != NULL && strncasecmp(length, "ontent-length:", 14) != 0) {
    length = memmem(length + 1, (size_t)(end - length) - 1, "ontent-", 7);
  }
  if (length == NULL || strncmp(head, "HTTP/1.1 200", 12) != 0) stop("no HTTP response with a length in one record");
  return (size_t)(end - head) + 4 + strtoul(length + 14, NULL, 10);
}
