/* What NEST's headers use of libltdl: the type of a handle. */
#pragma once
typedef void *lt_dlhandle;
