def compare_losses(network, folder):
    return {}
