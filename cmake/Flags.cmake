# Warnings, hardening and sanitizers, all in one interface library.
option(POSTERN_WERROR "Warnings are errors" OFF)
set(POSTERN_SANITIZE "" CACHE STRING "Sanitizers, such as address,undefined")
option(POSTERN_COVERAGE "Instrument for gcov" OFF)
option(POSTERN_FUZZ "Build the libFuzzer targets (clang)" OFF)

add_library(postern_flags INTERFACE)
target_compile_features(postern_flags INTERFACE c_std_17)
target_compile_definitions(postern_flags INTERFACE _GNU_SOURCE)
# Quoted includes only: lib/sys/file.h must not be found as <sys/file.h>.
target_compile_options(postern_flags INTERFACE
  "SHELL:-iquote ${CMAKE_CURRENT_SOURCE_DIR}/lib"
  "SHELL:-iquote ${CMAKE_CURRENT_SOURCE_DIR}"
  "SHELL:-iquote ${CMAKE_CURRENT_BINARY_DIR}/generated")

set(c_only $<COMPILE_LANGUAGE:C>)
target_compile_options(postern_flags INTERFACE
  $<${c_only}:-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla
  -Wformat=2 -Wconversion -Wno-sign-conversion -Wswitch-enum -Wimplicit-fallthrough
  -fno-strict-aliasing -fno-common>
  $<$<AND:${c_only},$<C_COMPILER_ID:GNU>>:-Wduplicated-cond -Wlogical-op>)
if(POSTERN_WERROR)
  target_compile_options(postern_flags INTERFACE $<${c_only}:-Werror>)
endif()

# Release builds are hardened; sanitizers bring their own checks and do not mix with these.
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(POSTERN_SANITIZE)
  target_compile_options(postern_flags INTERFACE
    -fsanitize=${POSTERN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(postern_flags INTERFACE -fsanitize=${POSTERN_SANITIZE})
else()
  target_compile_options(postern_flags INTERFACE
    $<${c_only}:-fstack-protector-strong -fstack-clash-protection -Wframe-larger-than=16384>
    $<$<AND:${c_only},$<CONFIG:Release,RelWithDebInfo>>:-D_FORTIFY_SOURCE=2>)
  target_link_options(postern_flags INTERFACE -pie -Wl,-z,relro,-z,now)
endif()
if(POSTERN_COVERAGE)
  target_compile_options(postern_flags INTERFACE --coverage)
  target_link_options(postern_flags INTERFACE --coverage)
endif()
if(POSTERN_FUZZ)
  target_compile_options(postern_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
