{
  "variables": {
    # One list of sources for both builds; append files to native/sources.json.
    "sources_list": ["<!@(node scripts/build-inputs.mjs sources)"],
    "openssl_link_flags": ["<!@(node scripts/build-inputs.mjs openssl-link-flags)"],
    "openssl_defines": ["<!@(node scripts/build-inputs.mjs openssl-defines)"],
    "strict_flags": [
      "-std=c++20",
      "-fno-exceptions",
      "-fno-rtti",
      "-fvisibility=hidden",
      "-fvisibility-inlines-hidden",
      "-Wall",
      "-Wextra",
      "-Wshadow",
      "-Wnon-virtual-dtor",
      "-Woverloaded-virtual",
      "-Wimplicit-fallthrough",
      "-Werror"
    ],
    # What ships is hardened whatever the compiler of the day does by itself; scripts/check-binaries.mjs looks.
    "hardening_flags": ["-fstack-protector-strong", "-fstack-clash-protection"],
    # Node's own folder goes last: it holds node's bundled openssl/, which must never win over the system's.
    "header_flags": [
      "<!@(node scripts/build-inputs.mjs openssl-include-flags)",
      "-isystem<!(node scripts/build-inputs.mjs napi-include)",
      "-idirafter<(node_root_dir)/include/node",
      "-idirafter<(node_root_dir)/src",
      "-idirafter<(node_root_dir)/deps/uv/include"
    ]
  },
  "targets": [
    {
      "target_name": "system_tls",
      "sources": ["<@(sources_list)"],
      "include_dirs": ["native"],
      # GCC ignores -I of a system folder, so the only order that works is not to have node's folders at all.
      "include_dirs/": [
        ["exclude", "/include/node$"],
        ["exclude", "/deps/openssl"],
        ["exclude", "/deps/zlib$"],
        ["exclude", "/deps/uv/include$"],
        ["exclude", "/deps/v8/include$"],
        ["exclude", "<(node_root_dir)/src$"]
      ],
      "defines": [
        "NAPI_VERSION=9",
        "NAPI_DISABLE_CPP_EXCEPTIONS",
        "NODE_ADDON_API_DISABLE_DEPRECATED",
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
        "OPENSSL_API_COMPAT=30000",
        "<@(openssl_defines)"
      ],
      "cflags_cc!": [
        "-std=gnu++14",
        "-std=gnu++17",
        "-std=gnu++20",
        "-fexceptions",
        "-frtti"
      ],
      "cflags_cc": ["<@(strict_flags)", "<@(header_flags)"],
      "configurations": {
        # It needs an optimizer.
        "Release": { "cflags_cc": ["-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"] }
      },
      "conditions": [
        [
          "OS=='mac'",
          {
            "xcode_settings": {
              "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
              "CLANG_CXX_LIBRARY": "libc++",
              "GCC_ENABLE_CPP_EXCEPTIONS": "NO",
              "GCC_ENABLE_CPP_RTTI": "NO",
              "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
              "MACOSX_DEPLOYMENT_TARGET": "11.0",
              "OTHER_CPLUSPLUSFLAGS": ["<@(strict_flags)", "<@(header_flags)"]
            },
            "libraries": ["<@(openssl_link_flags)"]
          },
          {
            "cflags_cc": ["<@(hardening_flags)"],
            "ldflags": [
              "-Wl,-z,nodelete",
              "-Wl,-z,relro",
              "-Wl,-z,now",
              "-Wl,-z,noexecstack"
            ],
            "libraries": ["<@(openssl_link_flags)", "-ldl"]
          }
        ],
        ["OS=='linux' and target_arch=='x64'", { "cflags_cc": ["-fcf-protection=full"] }],
        ["OS=='linux' and target_arch=='arm64'", { "cflags_cc": ["-mbranch-protection=standard"] }]
      ]
    }
  ]
}
