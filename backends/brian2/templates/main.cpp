{# Makes the whole library one file: Brian2's generated sources, and a C interface to step them.
   Names set here begin with an underscore, as Brian2 calls every public one. #}
{% set _L = library() %}
// All headers of the generated files, included here first, so that the include guards keep them out
// of the namespaces below.
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <time.h>
#include <algorithm>
#include <chrono>
#include <climits>
#include <cmath>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>
#include <new>
#ifdef __linux__
#include <sys/mman.h>
#endif
#include "neurorl.h"

// Lets Brian2's arrays begin at a line of the cache: a vector that straddles two lines costs twice
// as much. Large ones get huge pages where the system has them: of others, the processor holds too
// few addresses. Pages that were in use before are given back, as they would stay small.
void *operator new[](std::size_t size)
{
    const std::size_t huge = 2 << 20, unit = size < 2 * huge ? 64 : huge;
    size = (size + unit - 1) / unit * unit;
    void *memory = std::aligned_alloc(unit, size);
    if (!memory) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
    if (unit == huge) {
        madvise(memory, size, MADV_DONTNEED);
        madvise(memory, size, MADV_HUGEPAGE);
    }
#endif
    return memory;
}
void operator delete[](void *memory) noexcept { std::free(memory); }
void operator delete[](void *memory, std::size_t) noexcept { std::free(memory); }

// Brian2's own executable writes its arrays to files and reads values from its command line. As
// functions of this file alone, which nothing calls, these are left out: a third of what is to be
// compiled. What runs once is made small instead of fast.
static void _write_arrays();
static void _dealloc_arrays();
static void brian_end();
namespace brian {
static void set_variable_by_name(std::string, std::string);
}
[[gnu::cold]] static void _init_arrays();
[[gnu::cold]] static void _load_arrays();
[[gnu::cold]] static void brian_start();

#include "objects.h"
#include "synapses_classes.h"
#include "network.h"
#include "run.h"
#include "brianlib/common_math.h"
#include "brianlib/stdint_compat.h"
{% for name in user_headers | sort %}
#include {{name}}
{% endfor %}
{% for code in code_objects | sort(attribute='name') %}
#include "code_objects/{{code.name}}.h"
{% for block in code.before_after_blocks %}
#include "code_objects/{{block}}_{{code.name}}.h"
{% endfor %}
{% endfor %}
#include "objects.cpp"
#include "network.cpp"
#include "run.cpp"
#include "synapses_classes.cpp"
{% for code in code_objects | sort(attribute='name') %}
namespace unit_{{code.name}} {
#include "code_objects/{{code.name}}.cpp"
}
void _run_{{code.name}}() { unit_{{code.name}}::_run_{{code.name}}(); }
{% for block in code.before_after_blocks %}
namespace unit_{{block}}_{{code.name}} {
#include "code_objects/{{block}}_{{code.name}}.cpp"
}
void _{{block}}_{{code.name}}() { unit_{{block}}_{{code.name}}::_{{block}}_{{code.name}}(); }
{% endfor %}
{% endfor %}

void set_from_command_line(const std::vector<std::string>) {}

// Makes the arrays, all 0, and the list of what a step calls. To be called once, after loading.
extern "C" [[gnu::cold]] void neurorl_setup(const double *logistic_table)
{
    neurorl::logistic_table = logistic_table;
    std::vector<std::string> args;
    {{'\n'.join(code_lines['before_start'])|autoindent}}
    brian_start();
    {{'\n'.join(code_lines['after_start'])|autoindent}}
    {
        using namespace brian;
        {{main_lines|autoindent}}
    }
}

// Returns the address of the array number k of arrays.json.
extern "C" void *neurorl_array(int k)
{
    using namespace brian;
    switch (k) {
    {% for array in _L.arrays %}
    case {{loop.index0}}: return {{array.symbol}};
    {% endfor %}
    }
    return NULL;
}

// Sets to 0, or to its start, all that a step leaves to the next, but for time. What arrives is 0
// between two steps anyway.
static void neurorl_reset()
{
    {% for node in _L.nodes %}
    {{node.row}}[{{node.size}}] = 0;
    {% for ring in node.ring %}
    for (int k = 0; k < {{node.depth}}; k++) {{ring}}[k * {{node.size + 1}} + {{node.size}}] = 0;
    {% endfor %}
    {% for array in node.dynamic %}
    memset({{array}}, 0, {{node.size}} * sizeof(*{{array}}));
    {% endfor %}
    {% for variable, start in node.starts %}
    memcpy({{variable}}, {{start}}, {{node.size}} * sizeof(*{{variable}}));
    {% endfor %}
    {% endfor %}
}

// Does so for one of n replicas, whose spikes on the way are removed.
extern "C" void neurorl_reset_replica(int64_t replica, int64_t n)
{
    using namespace brian;
    {% for node in _L.nodes %}
    {
        const int64_t size = {{node.size}} / n, first = replica * size;
        neurorl::remove_spikes<{{node.size}}>({{node.row}}, first, first + size);
        {% for ring in node.ring %}
        for (int k = 0; k < {{node.depth}}; k++)
            neurorl::remove_spikes<{{node.size}}>(
                {{ring}} + k * {{node.size + 1}}, first, first + size);
        {% endfor %}
        {% for array in node.dynamic %}
        memset({{array}} + first, 0, size * sizeof(*{{array}}));
        {% endfor %}
        {% for variable, start in node.starts %}
        memcpy({{variable}} + first, {{start}} + first, size * sizeof(*{{variable}}));
        {% endfor %}
    }
    {% endfor %}
}

// Advances n_steps. fresh: whether to reset first. in: for each source, a raster of n_steps rows.
// out: for each population, a raster to fill, or NULL.
extern "C" void neurorl_advance(
    int fresh, int64_t n_steps, const uint8_t *const *in, uint8_t *const *out)
{
    using namespace brian;
    if (fresh) neurorl_reset();
    const auto &objects = {{_L.network}}.objects;
    for (int64_t k = 0; k < n_steps; k++) {
        {% for source in _L.sources %}
        memcpy({{source.inject}}, in[{{loop.index0}}] + k * {{source.size}}, {{source.size}});
        {% endfor %}
        for (const auto &object : objects)
            if (object.second) object.second();
        {% for population in _L.populations %}
        if (out[{{loop.index0}}])
            neurorl::scatter<{{population.size}}>(
                {{population.row}}, out[{{loop.index0}}] + k * {{population.size}});
        {% endfor %}
        {{_L.clock}}.tick();
    }
}

// Frees the arrays. To be called once, before unloading.
extern "C" void neurorl_free()
{
    using namespace brian;
    {% for array in _L.owned %}
    delete [] {{array}};
    {% endfor %}
}
