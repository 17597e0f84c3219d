# Cross-compiling for AArch64 on Debian, with its packages g++-aarch64-linux-gnu and, after `dpkg --add-architecture arm64`,
# libopenblas-dev:arm64 and libfmt-dev:arm64. Tests run in the emulator of the package qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
# Nothing but headers, and one package for all architectures, which files them under that of the host.
foreach(package xtensor xtensor-blas xsimd)
    set(${package}_DIR /usr/lib/${CMAKE_HOST_SYSTEM_PROCESSOR}-linux-gnu/cmake/${package})
endforeach()
