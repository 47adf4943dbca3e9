;; Imports an interface under a name of its own.
(component (component (import "n" (implements "a:b/c") (instance))))
