//! Unit names, unit files, directives and the wire types of fleet.
