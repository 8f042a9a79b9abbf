"""What an update of a spiking network's weights by gradients costs, here and in other libraries."""
