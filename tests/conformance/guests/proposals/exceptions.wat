;; Throws.
(component (core module (tag $thrown) (func (throw $thrown))))
