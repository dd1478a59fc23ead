"""The interactive explorer: any metric by layer, module, arm, step and storage, in one file."""
