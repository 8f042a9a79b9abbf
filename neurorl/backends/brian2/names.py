"""Find what each name of a node is called in Brian2, whose own words and C++'s are taken."""

from __future__ import annotations

from neurorl.program import NodeProgram

__all__ = ["arrival_of", "brian2_names", "past_release"]

_CPP_WORDS = """
alignas alignof and_eq asm auto bitand bitor bool break case catch char compl const constexpr
const_cast continue decltype default delete do double dynamic_cast enum explicit export extern false
float friend goto inline int long mutable namespace new noexcept nullptr operator or_eq private
protected public register reinterpret_cast short signed sizeof static static_assert static_cast
struct switch template this thread_local throw true typedef typeid typename union unsigned using
virtual void volatile wchar_t xor xor_eq NULL
"""
_OURS = "dead live refractory_steps neuron ahead seed inject"
_BRIAN2 = "i j N t dt t_in_timesteps lastspike not_refractory xi"
_SYNAPSES = "w delay lastupdate pre post age"  # which no neuron that synapses enter may have too
_BEGIN = ("arrived_", "drawn_", "neurorl_", "new_", "old_", "own_", "past_", "stream_", "xi_")
_END = ("_", "_pre", "_post")


def brian2_names(node: NodeProgram) -> dict[str, str]:
    """Return what each name is called: the same, unless it is taken; draws have names of ours."""
    from neurorl.backends.brian2.vendor import brian2  # takes a second, so late

    taken = {*_CPP_WORDS.split(), *_OURS.split(), *_BRIAN2.split(), *_SYNAPSES.split()}
    taken |= {*brian2.DEFAULT_UNITS, *brian2.DEFAULT_FUNCTIONS, *brian2.DEFAULT_CONSTANTS}
    lines = (*node.update, *node.reset)
    used = {*node.initial, *node.constants, *node.inputs, *(line.variable for line in lines)}
    names = {
        name: f"own_{name}_own"
        if name in taken or name.startswith(_BEGIN) or name.endswith(_END)
        else name
        for name in sorted(used)
    }
    return {"bias": "bias", **names} | {name: f"drawn_{name}" for name in node.draws}


def arrival_of(name: str) -> str:
    """Return the variable that synapses to an input add to."""
    return f"arrived_{name}"


def past_release(variable: str, age: int) -> str:
    """Return the variable that has what a spike of *age* steps ago released; 1 is the last step."""
    return variable if age == 1 else f"past_{variable}_{age}"
