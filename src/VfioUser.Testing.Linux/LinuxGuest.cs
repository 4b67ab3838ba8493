namespace VfioUser.Testing.Linux;

/// <summary>A Linux guest in QEMU that has devices over vfio-user, and runs commands as root.</summary>
/// <remarks>One command at a time, from any thread. Dispose ends the machine at once, as pulling its plug does, and then the servers of its
/// devices. The guest is a Debian kernel with busybox and what the options add; nothing of it outlives the test.</remarks>
public sealed class LinuxGuest : IAsyncDisposable
{
    // of the kernel's log, in failures
    private const string LastKernelLines = "dmesg | tail -n 20";

    private readonly LinuxGuestOptions _options;
    private readonly ServedDevices _devices;
    private readonly VirtualMachine _machine;

    private LinuxGuest(LinuxGuestOptions options, ServedDevices devices, VirtualMachine machine)
    {
        _options = options;
        _devices = devices;
        _machine = machine;
    }

    /// <summary>Why no guest can start on this host before something is fetched, in a line; null if one can. For tests that are skipped
    /// then.</summary>
    public static string? Missing => GuestFolder.Missing;

    /// <summary>Everything that the guest has printed on its console so far.</summary>
    public string ConsoleText => _machine.ConsoleText;

    /// <summary>Fetches QEMU and the guest, unless they are there: half a gigabyte, into <c>$VFIO_USER_VM_FOLDER</c> or <c>vfio-user-vm</c> in
    /// the user's cache. Needs Debian's apt and dpkg, and not root.</summary>
    /// <param name="progress">Gets a line for each part.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="InvalidOperationException">The host lacks something that it needs; the message names it.</exception>
    public static Task FetchAsync(Action<string>? progress = null, CancellationToken cancellationToken = default) =>
        GuestFolder.FetchAsync(progress, cancellationToken);

    /// <summary>Boots a guest with a device, which this process serves.</summary>
    /// <param name="device">Not served elsewhere; stays the caller's.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <inheritdoc cref="StartAsync(LinuxGuestOptions, CancellationToken)" path="/*[not(self::param)]"/>
    public static Task<LinuxGuest> StartAsync(PciDevice device, LinuxGuestOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(device);
        options ??= new LinuxGuestOptions();
        return StartAsync(options with { Devices = [device, .. options.Devices] }, cancellationToken);
    }

    /// <summary>Boots a guest with the device of a server.</summary>
    /// <param name="socket">The server's: a path, or <c>@name</c> for an abstract one.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <inheritdoc cref="StartAsync(LinuxGuestOptions, CancellationToken)" path="/*[not(self::param)]"/>
    public static Task<LinuxGuest> StartAsync(string socket, LinuxGuestOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(socket);
        options ??= new LinuxGuestOptions();
        return StartAsync(options with { Sockets = [socket, .. options.Sockets] }, cancellationToken);
    }

    /// <summary>Boots a guest, and returns when it takes commands.</summary>
    /// <param name="options">With the devices that it has.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <exception cref="InvalidOperationException">The options contradict themselves, or the host lacks something; the message names it.</exception>
    /// <exception cref="LinuxGuestException">No server listens on a socket, QEMU refused, or the kernel panicked.</exception>
    /// <exception cref="TimeoutException">It did not boot in time; the message has the last lines of its console.</exception>
    public static async Task<LinuxGuest> StartAsync(LinuxGuestOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        GuestFolder folder = options.Fetch
            ? await GuestFolder.FetchAsync(options.Progress, cancellationToken).ConfigureAwait(false)
            : GuestFolder.Installed;
        if (options.Fetch)
            await options.Initramfs().FetchPackagesAsync(folder, options.Progress, cancellationToken).ConfigureAwait(false);
        ServedDevices devices = new(options);
        try
        {
            VirtualMachine machine = await VirtualMachine.Start(options.Machine(folder, devices.Sockets), cancellationToken).ConfigureAwait(false);
            return new LinuxGuest(options, devices, machine);
        }
        catch (IOException e) when (e is not LinuxGuestException)
        {
            await devices.DisposeAsync().ConfigureAwait(false);
            throw new LinuxGuestException(QemuFailure.Describe(e.Message), e);
        }
        catch
        {
            await devices.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Runs a line of shell as root, and waits for its end.</summary>
    /// <param name="command">One line. It has no standard input.</param>
    /// <param name="timeout">How long it may take; null for <see cref="LinuxGuestOptions.CommandTimeout"/>.</param>
    /// <param name="cancellationToken">Ends the wait; the guest takes no other command then.</param>
    /// <exception cref="LinuxGuestException">The kernel panicked, or QEMU has ended.</exception>
    /// <exception cref="TimeoutException">The command did not end in time; the guest takes no other one then.</exception>
    public Task<CommandResult> RunAsync(string command, TimeSpan? timeout = null, CancellationToken cancellationToken = default) =>
        RunAsync(command, output: null, timeout, cancellationToken);

    /// <summary>Runs a line of shell as root that must succeed, and returns what it prints.</summary>
    /// <exception cref="LinuxGuestException">It failed: the message has its output and the last lines of the kernel's log. Or the kernel
    /// panicked, or QEMU has ended.</exception>
    /// <inheritdoc cref="RunAsync(string, TimeSpan?, CancellationToken)"/>
    public async Task<string> OutputAsync(string command, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        CommandResult result = await RunAsync(command, timeout, cancellationToken).ConfigureAwait(false);
        if (result.ExitCode == 0)
            return result.Output;
        CommandResult kernel = await RunAsync(LastKernelLines, timeout, cancellationToken).ConfigureAwait(false);
        throw new LinuxGuestException($"'{command}' ended with {result.ExitCode}: {result.Output}\nThe kernel's log ends with:\n{kernel.Output}");
    }

    /// <summary>Waits for something on the console that comes after what was waited for last, such as the output of a program in the
    /// background that writes to <c>/dev/ttyS0</c>.</summary>
    /// <param name="pattern">A regular expression; <c>^</c> and <c>$</c> match at each line.</param>
    /// <param name="timeout">Null for <see cref="LinuxGuestOptions.CommandTimeout"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>What matched.</returns>
    /// <exception cref="TimeoutException">It did not come; the message has the last lines.</exception>
    public Task<string> WaitForConsoleAsync(string pattern, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(pattern);
        return _machine.WaitFor(pattern, timeout ?? _options.CommandTimeout, cancellationToken);
    }

    /// <summary>Reboots the guest, which resets its devices, and returns when it takes commands again.</summary>
    public Task RebootAsync(CancellationToken cancellationToken = default) => _machine.Reboot(cancellationToken);

    /// <summary>Switches the guest off, as its own <c>poweroff</c> does: devices are detached in QEMU's way.</summary>
    public Task PowerOffAsync() => _machine.PowerOff();

    /// <summary>The exceptions of the devices' code since the guest started, which are then seen: Dispose does not throw for them.</summary>
    public IReadOnlyList<DeviceExceptionContext> AcceptDeviceExceptions() => _devices.AcceptExceptions();

    /// <summary>Ends the machine, then the servers.</summary>
    /// <exception cref="LinuxGuestException">A device threw, and the test has not seen it.</exception>
    public async ValueTask DisposeAsync()
    {
        await _machine.DisposeAsync().ConfigureAwait(false);
        await _devices.DisposeAsync().ConfigureAwait(false);
        if (!_options.FailOnDeviceException || _devices.TakeUnseen() is not [var first, ..] unseen)
            return;
        string what = string.Join("; ", unseen.Select(context => context.ToString()));
        throw new LinuxGuestException($"A device threw, and the test did not see it: {what}", first.Exception);
    }

    /// <param name="command">One line.</param>
    /// <param name="output">Gets what it prints as it prints it.</param>
    /// <param name="timeout">How long it may take.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    internal async Task<CommandResult> RunAsync(string command, Action<string>? output, TimeSpan? timeout, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(command);
        try
        {
            return await _machine.Run(command, timeout ?? _options.CommandTimeout, output, cancellationToken).ConfigureAwait(false);
        }
        catch (IOException e)
        {
            throw new LinuxGuestException($"'{command}' did not end: {e.Message}", e);
        }
    }
}
