"""The program `trunkline`: a conversation, the sessions and the health of a service, from a terminal.

It uses the public API only, and the rest of the package does not import it.
"""
