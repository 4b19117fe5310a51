// What each kernel file begins with. It is compiled once for each target, a set of instructions (see setup.py), into
// functions whose names end with the target's; Python calls those of the best target that the processor has.
// Everything but those functions has internal linkage, so that no target's code stands in for another's.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define CYANO_JOIN(name, target) cyano_##name##_##target
#define CYANO_JOIN_EXPANDED(name, target) CYANO_JOIN(name, target)
#define CYANO_NAME(name) CYANO_JOIN_EXPANDED(name, CYANO_TARGET)
#define CYANO_EXPORT extern "C" __attribute__((visibility("default")))
