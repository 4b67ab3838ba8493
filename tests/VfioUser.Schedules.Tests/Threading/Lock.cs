using VfioUser.Schedules;

namespace System.Threading;

/// <summary>As the runtime's, on a schedule. Time does not pass there, so whoever waits for some time waits.</summary>
internal sealed class Lock
{
    private int _owner;
    private int _depth;

    public bool IsHeldByCurrentThread => _depth > 0 && _owner == Environment.CurrentManagedThreadId;

    public void Enter()
    {
        int self = Environment.CurrentManagedThreadId; // whoever chooses the next thread asks, too
        Schedule.WaitUntil(() => _depth == 0 || _owner == self, "locks");
        _owner = self;
        _depth++;
    }

    public bool TryEnter()
    {
        Schedule.Point("tries to lock");
        if (_depth > 0 && !IsHeldByCurrentThread)
            return false;
        _owner = Environment.CurrentManagedThreadId;
        _depth++;
        return true;
    }

    public bool TryEnter(TimeSpan timeout)
    {
        Enter();
        return true;
    }

    public void Exit()
    {
        Schedule.Require(IsHeldByCurrentThread, "a lock is left that is not held");
        _depth--;
    }

    public Scope EnterScope()
    {
        Enter();
        return new Scope(this);
    }

    public readonly ref struct Scope(Lock held)
    {
        public void Dispose() => held.Exit();
    }
}
