"""The program `trunkline`: a conversation, the sessions and the health of a service, from a terminal.

Owns nothing that a program could not do with the client itself. Must never be imported by the rest of the
package.
"""
