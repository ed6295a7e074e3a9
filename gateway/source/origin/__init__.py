"""Source manifests over HTTP from origins that are slow, fail, lie and come back."""
