"""Questions asked of the machine: scenarios, ensembles, attribution, comparison."""
