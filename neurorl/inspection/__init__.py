"""What is known of a network or agent without training it: cost, quantisation, deployment."""
