"""What is compared: names, the matrices inside stored tensors, pairing, the bfloat16 grid."""
