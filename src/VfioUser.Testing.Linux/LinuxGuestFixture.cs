namespace VfioUser.Testing.Linux;

/// <summary>One Linux guest for all tests of a class or a collection: it boots when the first test asks for it.</summary>
/// <remarks>For any test framework: xunit's class fixtures are made and disposed of by their constructor and Dispose, NUnit's and MSTest's
/// in their set-up and tear-down. Derive a class of your own, or use it with options. Tests share the guest: run one at a time.</remarks>
public class LinuxGuestFixture : IAsyncDisposable, IDisposable
{
    private readonly Func<LinuxGuestOptions> _options;
    private readonly Lock _lock = new();
    private Task<LinuxGuest>? _guest;
    private bool _isDisposed;

    /// <summary>A fixture for a guest.</summary>
    /// <param name="options">Makes its options, and its devices, when the guest starts. Once.</param>
    public LinuxGuestFixture(Func<LinuxGuestOptions> options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
    }

    /// <summary>The guest, which takes commands.</summary>
    /// <exception cref="ObjectDisposedException">The fixture is disposed.</exception>
    /// <inheritdoc cref="LinuxGuest.StartAsync(LinuxGuestOptions, CancellationToken)" path="/exception"/>
    public Task<LinuxGuest> StartedAsync()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            return _guest ??= LinuxGuest.StartAsync(_options());
        }
    }

    /// <summary>Ends the guest, if it has started.</summary>
    /// <inheritdoc cref="LinuxGuest.DisposeAsync" path="/exception"/>
    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        Task<LinuxGuest>? guest;
        lock (_lock)
        {
            guest = _isDisposed ? null : _guest;
            _isDisposed = true;
        }
        if (guest is null)
            return;
        // one that did not start was told to the tests that asked for it
        await ((Task)guest).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (guest.IsCompletedSuccessfully)
            await (await guest.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc cref="DisposeAsync"/>
    public void Dispose()
    {
        GC.SuppressFinalize(this);
        DisposeAsync().AsTask().GetAwaiter().GetResult();
    }
}
