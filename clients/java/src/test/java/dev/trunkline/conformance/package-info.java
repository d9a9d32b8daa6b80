/** The conformance runner of this client: clients/conformance/README.md is its specification. */
package dev.trunkline.conformance;
