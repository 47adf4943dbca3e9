;; Cancels what it has begun, without waiting for that.
(component (component (core func (canon subtask.cancel async))))
