"""The laboratory: hosts on one machine, each a set of namespaces with an sshd of its own."""
