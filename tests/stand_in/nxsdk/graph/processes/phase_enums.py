"""Name the phases in which embedded code runs."""


class Phase:
    EMBEDDED_MGMT = 1
    EMBEDDED_PRELEARN_MGMT = 2
    HOST_CONCURRENT_EXECUTION = 3
