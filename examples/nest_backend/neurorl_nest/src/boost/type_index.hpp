/* What NEST's headers use of Boost, for error messages, so that Boost needn't be installed. */
#pragma once
#include <string>
#include <typeinfo>

namespace boost::typeindex {

struct Named
{
    const char *name;
    std::string pretty_name() const { return name; }
};

template <typename T>
Named type_id()
{
    return {typeid(T).name()};
}
}
