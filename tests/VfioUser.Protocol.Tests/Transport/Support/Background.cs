using System.Runtime.ExceptionServices;

namespace VfioUser.Protocol.Tests.Transport;

/// <summary>Something that runs on a thread of its own, and waits for it that end.</summary>
internal static class Background
{
    public static TimeSpan Timeout { get; } = TimeSpan.FromSeconds(30);

    public static Background<T> Run<T>(Func<T> work) => new(work);

    public static Background<bool> Run(Action work) => new(() =>
    {
        work();
        return true;
    });
}

internal sealed class Background<T>
{
    private readonly Thread _thread;
    private T? _result;
    private ExceptionDispatchInfo? _failure;

    public Background(Func<T> work)
    {
        _thread = new Thread(() =>
        {
            try
            {
                _result = work();
            }
            catch (Exception e)
            {
                _failure = ExceptionDispatchInfo.Capture(e);
            }
        })
        {
            IsBackground = true,
        };
        _thread.Start();
    }

    public bool IsRunning => _thread.IsAlive;

    public T Result
    {
        get
        {
            if (!_thread.Join(Background.Timeout))
                throw new TimeoutException("The thread did not end.");
            _failure?.Throw();
            return _result!;
        }
    }

    public void Join() => _ = Result;
}
