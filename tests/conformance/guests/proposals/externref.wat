;; Holds references to things of the host.
(component (core module (table 1 externref)))
