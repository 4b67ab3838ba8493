using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using VfioUser.Hosting;

namespace VfioUser.Testing.Hosting;

/// <summary>A program that serves devices with VfioUser.Hosting, run in the test's process from its own <c>Main</c>.</summary>
/// <typeparam name="TEntryPoint">Any type of the program's assembly, such as its <c>Program</c>.</typeparam>
/// <remarks>The program starts when a test asks for one of its devices or services, so that an instance can be a class fixture. Each device
/// listens on a socket of the test, whatever the program's configuration says. Any thread.</remarks>
public sealed class HostedApplication<TEntryPoint> : IAsyncDisposable, IDisposable
{
    private readonly HostedApplicationOptions _options;
    private readonly DeviceSockets _sockets = new();
    private readonly Lazy<EntryPointRun> _run;
    private bool _isDisposed;

    /// <summary>A program without arguments.</summary>
    public HostedApplication()
        : this(new HostedApplicationOptions())
    {
    }

    /// <summary>A program with options.</summary>
    public HostedApplication(HostedApplicationOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _run = new Lazy<EntryPointRun>(() => new EntryPointRun(typeof(TEntryPoint).Assembly, options.Arguments, Configure));
    }

    /// <summary>The services of the program's host, which has started then.</summary>
    /// <inheritdoc cref="StartAsync" path="/exception"/>
    public IServiceProvider Services => Host().Services;

    /// <summary>The names of the program's devices.</summary>
    /// <inheritdoc cref="StartAsync" path="/exception"/>
    public IReadOnlyList<string> Devices
    {
        get
        {
            Host();
            return _sockets.Names;
        }
    }

    /// <summary>Starts the program, unless it has started.</summary>
    /// <returns>Completes when its host has started.</returns>
    /// <exception cref="InvalidOperationException">It ended without starting a host.</exception>
    /// <exception cref="TestGuestException">It did not start in time.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    /// <remarks>An exception of the program is thrown as it is.</remarks>
    public async Task StartAsync()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        try
        {
            await _run.Value.Started.WaitAsync(_options.Timeout).ConfigureAwait(false);
        }
        catch (TimeoutException e)
        {
            throw new TestGuestException($"{Name} has not started a host within {_options.Timeout.TotalSeconds} seconds.", e);
        }
    }

    /// <summary>Connects a guest to a device. One at a time.</summary>
    /// <param name="device">Its name in the program.</param>
    /// <param name="memory">How the device accesses the guest's memory.</param>
    /// <exception cref="ArgumentException">The program has no such device; the message names those that it has.</exception>
    /// <inheritdoc cref="StartAsync" path="/exception"/>
    public TestGuest Connect(string device, GuestMemoryKind memory = GuestMemoryKind.Mapped) =>
        TestGuest.Connect(SocketOf(device), memory);

    /// <summary>Connects a guest with options to a device. One at a time.</summary>
    /// <param name="device">Its name in the program.</param>
    /// <param name="options">The guest's; <see cref="TestGuestOptions.Server"/> and what else is about the server does not apply.</param>
    /// <inheritdoc cref="Connect(string, GuestMemoryKind)" path="/exception"/>
    public TestGuest Connect(string device, TestGuestOptions options) => TestGuest.Connect(SocketOf(device), options);

    /// <summary>The socket of a device, for other clients, such as a Linux guest.</summary>
    /// <param name="device">Its name in the program.</param>
    /// <inheritdoc cref="Connect(string, GuestMemoryKind)" path="/exception"/>
    public string SocketOf(string device)
    {
        Host();
        return _sockets.PathOf(device);
    }

    /// <summary>The exceptions of the devices' code so far, which are then seen: Dispose does not throw for them.</summary>
    public IReadOnlyList<DeviceExceptionContext> AcceptDeviceExceptions() => _sockets.AcceptExceptions();

    /// <summary>Stops the host, and waits for the program's end.</summary>
    /// <exception cref="TestGuestException">The program does not end, or a device threw and the test has not seen it.</exception>
    /// <remarks>An exception that ends the program is thrown as it is.</remarks>
    public async ValueTask DisposeAsync()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        if (_run.IsValueCreated)
            await EndAsync(_run.Value).ConfigureAwait(false);
        _sockets.Dispose();
        if (!_options.FailOnDeviceException || _sockets.TakeUnseen() is not [var first, ..] unseen)
            return;
        string what = string.Join("; ", unseen.Select(context => context.ToString()));
        throw new TestGuestException($"A device of {Name} threw, and the test did not see it: {what}", first.Exception);
    }

    /// <inheritdoc cref="DisposeAsync"/>
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    private static string Name => typeof(TEntryPoint).Assembly.GetName().Name ?? typeof(TEntryPoint).Name;

    private IHost Host()
    {
        StartAsync().GetAwaiter().GetResult();
        return _run.Value.Started.Result;
    }

    private async Task EndAsync(EntryPointRun run)
    {
        // one that failed to start was told to the test that asked for it, and has ended
        if (!run.Started.IsCompletedSuccessfully)
            return;
        (await run.Started.ConfigureAwait(false)).Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();
        try
        {
            await run.Ended.WaitAsync(_options.Timeout).ConfigureAwait(false);
        }
        catch (TimeoutException e)
        {
            throw new TestGuestException($"{Name} has not ended within {_options.Timeout.TotalSeconds} seconds of its host's stop.", e);
        }
    }

    private void Configure(IServiceCollection services)
    {
        _options.ConfigureServices?.Invoke(services);
        services.AddSingleton<IPostConfigureOptions<VfioUserDeviceOptions>>(_sockets);
    }
}
