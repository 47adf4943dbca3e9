;; Keeps 64 bits with each call.
(component (component (core func (canon context.get i64 0))))
