"""Make what the pages show: drawings of concepts, and a page for each neuron and rule."""
