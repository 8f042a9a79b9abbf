"""Stand in for Intel's NxSDK: registers that note what is written, and a chip made of them.

It offers what nengo-loihi 1.1 calls. The chip that it runs knows nothing but the registers and the
embedded code that nengo-loihi generates, which is compiled and called in every step, so equal
spikes mean that all of these were right. It learns nothing and has no noise.
"""

__version__ = "1.0.0"
