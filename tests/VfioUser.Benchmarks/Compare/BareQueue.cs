using System.Collections.Concurrent;

namespace VfioUser.Benchmarks;

/// <summary>What a device without the library would post to: a thread that takes actions from a queue.</summary>
internal sealed class BareQueue : IDisposable
{
    private readonly BlockingCollection<Action> _actions = [];
    private readonly ManualResetEventSlim _done = new(initialState: false, spinCount: 0);
    private readonly Action _set;
    private readonly Action _nothing = () => { };
    private readonly Thread _thread;

    public BareQueue()
    {
        _set = _done.Set;
        _thread = new Thread(() =>
        {
            foreach (Action action in _actions.GetConsumingEnumerable())
                action();
        });
        _thread.Start();
    }

    public void RunAll(int count)
    {
        _done.Reset();
        for (int i = 1; i < count; i++)
            _actions.Add(_nothing);
        _actions.Add(_set);
        _done.Wait();
    }

    public void Dispose()
    {
        _actions.CompleteAdding();
        _thread.Join();
        _actions.Dispose();
        _done.Dispose();
    }
}
