"""Exchange networks with nengo, and let agents play in nengo networks; see docs/nengo.md.

nengo is imported when a function is called, not with this package.
"""

from neurorl.nengo.agents import ActionOutput, NengoEnv, agent_node
from neurorl.nengo.chip import lower_floors
from neurorl.nengo.imported import Imported
from neurorl.nengo.load import DISCRETISATIONS, from_nengo
from neurorl.nengo.write import NengoExport, to_nengo

__all__ = [
    "DISCRETISATIONS",
    "ActionOutput",
    "Imported",
    "NengoEnv",
    "NengoExport",
    "agent_node",
    "from_nengo",
    "lower_floors",
    "to_nengo",
]
