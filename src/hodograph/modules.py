"""Names of the modules that are compared: Llama's, whatever the architecture."""

LATENT = ("q_a_proj", "q_b_proj", "kv_a_proj", "kv_b_proj")  # DeepSeek's latent attention
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj", *LATENT)
LINEAR = (*ATTENTION, "gate_proj", "up_proj", "down_proj")
