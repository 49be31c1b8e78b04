"""The command line: `gossamer VERB`, one small file a verb.

A verb parses, calls the library, and prints. It imports the library inside its function, so that
`--help` costs nothing.
"""
