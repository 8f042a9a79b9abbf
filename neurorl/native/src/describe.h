// Describe the library's structures and choices as text, for Python to compare.
#ifndef NEURORL_DESCRIBE_H
#define NEURORL_DESCRIBE_H
#include <cstddef>
#include <initializer_list>
#include <string>

namespace neurorl {

struct Field {
    const char *name;
    size_t offset, size;
};

// Write a line "structure NAME SIZE field:offset:size ...".
inline void describe(
    std::string &text, const char *name, size_t size, std::initializer_list<Field> fields)
{
    text += std::string("structure ") + name + " " + std::to_string(size);
    for (const Field &f : fields)
        text += std::string(" ") + f.name + ":" + std::to_string(f.offset) + ":" + std::to_string(f.size);
    text += "\n";
}

// Write a line "choice NAME FIRST SECOND ...": the names of an enumeration, from 0 on.
inline void describe(std::string &text, const char *name, std::initializer_list<const char *> names)
{
    text += std::string("choice ") + name;
    for (const char *each : names) text += std::string(" ") + each;
    text += "\n";
}

}  // namespace neurorl

// To be used inside a function with `using S = Structure;`.
#define NEURORL_AT(field) \
    neurorl::Field { #field, offsetof(S, field), sizeof(S::field) }
// For lists such as `#define COLOURS(X) X(RED) X(BLUE)`.
#define NEURORL_ENUMERATOR(name) name,
#define NEURORL_NAME(name) #name,

#endif
