# The libraries, each by pkg-config or by our own find module, with the package to install
# named when one is missing.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(postern_need target module apt dnf)
  pkg_check_modules(${target} QUIET IMPORTED_TARGET ${module})
  if(NOT ${target}_FOUND)
    message(FATAL_ERROR "${module} not found: apt-get install ${apt}  or  dnf install ${dnf}")
  endif()
endfunction()

# What the system can do without; the package is named all the same.
function(postern_optional target module apt dnf)
  pkg_check_modules(${target} QUIET IMPORTED_TARGET GLOBAL ${module})
  set(${target}_FOUND ${${target}_FOUND} PARENT_SCOPE)
  if(NOT ${target}_FOUND)
    message(STATUS "${module} not found (${apt}, ${dnf}): its table module is not built")
  endif()
endfunction()

postern_need(XXHASH libxxhash libxxhash-dev xxhash-devel)
postern_need(LIBEVENT libevent_core libevent-dev libevent-devel)
postern_need(CARES libcares libc-ares-dev c-ares-devel)
postern_need(PCRE2 libpcre2-8 libpcre2-dev pcre2-devel)
postern_need(OPENSSL openssl libssl-dev openssl-devel)
postern_need(LIBIDN2 libidn2 libidn2-dev libidn2-devel)
postern_need(CYRUS libsasl2 libsasl2-dev cyrus-sasl-devel)
find_package(BerkeleyDB REQUIRED)
pkg_check_modules(CMOCKA QUIET IMPORTED_TARGET cmocka)

foreach(pair IN ITEMS "XXHASH::xxhash;XXHASH" "LIBEVENT::core;LIBEVENT" "CARES::cares;CARES"
    "PCRE2::pcre2;PCRE2" "IDN2::idn2;LIBIDN2" "OPENSSL::ssl;OPENSSL" "SASL::sasl;CYRUS")
  list(GET pair 0 name)
  list(GET pair 1 pkg)
  add_library(${name} INTERFACE IMPORTED GLOBAL)
  target_link_libraries(${name} INTERFACE PkgConfig::${pkg})
endforeach()
if(CMOCKA_FOUND)
  add_library(CMOCKA::cmocka INTERFACE IMPORTED GLOBAL)
  target_link_libraries(CMOCKA::cmocka INTERFACE PkgConfig::CMOCKA)
else()
  message(STATUS "cmocka not found (libcmocka-dev): unit tests are not built")
endif()
