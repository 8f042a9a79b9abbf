"""Ask other simulators what they say of the same networks."""
