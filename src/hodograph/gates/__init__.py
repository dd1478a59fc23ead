"""The three-gate account of a finished run, measured from its checkpoints.

I the divergence that the update spends, II the gradients and W0's principal directions, III the
visible changes against the storage gate's prediction.
"""
