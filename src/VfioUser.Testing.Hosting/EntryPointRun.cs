using System.Diagnostics;
using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace VfioUser.Testing.Hosting;

/// <summary>Runs a program from its entry point on a thread of its own, and finds the host that it builds.</summary>
/// <remarks>The host tells of itself in the events of Microsoft.Extensions.Hosting's diagnostic listener, which tools use, too.</remarks>
internal sealed class EntryPointRun : IObserver<DiagnosticListener>, IObserver<KeyValuePair<string, object?>>
{
    private const string Listener = "Microsoft.Extensions.Hosting";

    // programs of other tests may start at the same time: events come on the thread that builds, or what follows from it
    private readonly AsyncLocal<bool> _isOurs = new();
    private readonly MethodInfo _entryPoint;
    private readonly string[] _arguments;
    private readonly Action<IServiceCollection> _configure;
    private readonly TaskCompletionSource<IHost> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <exception cref="InvalidOperationException">The assembly is no program.</exception>
    public EntryPointRun(Assembly program, IReadOnlyList<string> arguments, Action<IServiceCollection> configure)
    {
        _entryPoint = program.EntryPoint ?? throw new InvalidOperationException($"{program.GetName().Name} is no program: it has no entry point.");
        _arguments = [.. arguments];
        _configure = configure;
        new Thread(Run) { Name = $"{program.GetName().Name} Main", IsBackground = true }.Start();
    }

    /// <summary>The host, when all of its services have started; or the program's failure.</summary>
    public Task<IHost> Started => _started.Task;

    /// <summary>Completes when the program has ended; fails with its exception.</summary>
    public Task Ended => _ended.Task;

    public void OnNext(DiagnosticListener value)
    {
        if (_isOurs.Value && value.Name is Listener)
            value.Subscribe(this);
    }

    public void OnNext(KeyValuePair<string, object?> value)
    {
        if (!_isOurs.Value)
            return;
        if (value is { Key: "HostBuilding", Value: IHostBuilder builder })
            builder.ConfigureServices((_, services) => Configure(services));
        else if (value is { Key: "HostBuilt", Value: IHost host })
            host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStarted.Register(() => _started.TrySetResult(host));
    }

    public void OnCompleted()
    {
    }

    public void OnError(Exception error)
    {
    }

    private void Configure(IServiceCollection services)
    {
        // signals are the test runner's
        services.AddSingleton<IHostLifetime, NoSignals>();
        _configure(services);
    }

    private void Run()
    {
        _isOurs.Value = true;
        using IDisposable subscription = DiagnosticListener.AllListeners.Subscribe(this);
        try
        {
            object?[] parameters = _entryPoint.GetParameters().Length == 0 ? [] : [_arguments];
            if (_entryPoint.Invoke(null, BindingFlags.DoNotWrapExceptions, binder: null, parameters, culture: null) is Task main)
                main.GetAwaiter().GetResult();
            _started.TrySetException(new InvalidOperationException("The program ended before it had started a host."));
            _ended.SetResult();
        }
        catch (Exception e)
        {
            _started.TrySetException(e);
            _ended.SetException(e);
        }
    }

    private sealed class NoSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
