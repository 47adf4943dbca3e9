;; Passes an error with the way that it came.
(component (component (core func (canon error-context.drop))))
