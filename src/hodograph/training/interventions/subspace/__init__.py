"""The subspace constraint: each matrix may move inside a K-dimensional subspace of its inputs."""
