;; Imports by the part of a version that counts.
(component (component (import "a:b/c@1" (version-suffix ".2.3") (instance))))
