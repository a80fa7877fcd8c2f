// Force-included when llama.cpp is built by GCC 12 or older. Their _tile_loadconfig tells the compiler that
// the instruction reads 8 of the 64 bytes of the tile configuration; the stores to the others are dropped
// and the first AMX instruction faults. Newer compilers are right and do not get this file.
#pragma once
#include <immintrin.h>
#if defined(__AMX_TILE__) && !defined(__clang__)
#undef _tile_loadconfig
#define _tile_loadconfig(config) \
  __asm__ volatile("ldtilecfg %0" ::"m"(*static_cast<const char(*)[64]>(static_cast<const void*>(config))))
#endif
