"""From a lease to a stream of reply events; knows no platform and sends nothing."""
