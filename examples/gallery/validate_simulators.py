"""
Validate one simulator against another
======================================

Give two backends the same network, inputs and noise, and read where they first differ, and why.
"""

from neurorl import validate

same = validate("lif", "reference,brian2:numpy", steps=300)
print(same.verdict)

# %%
# The chip's integers are another arithmetic: it is said which spikes differ first, and for what
# reason.
other = validate("lif", "reference,reference:arithmetic=loihi", steps=300)
print(other.verdict)
for explanation in other.explanations:
    print(f"{explanation.cause}: {explanation.detail}")
