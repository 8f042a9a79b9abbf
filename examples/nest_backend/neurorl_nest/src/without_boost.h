/* NEST's configuration, less the sorting of Boost. */
#pragma once
#include "config.h"
#undef HAVE_BOOST
