using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Systemd;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace VfioUser.Hosting;

/// <summary>Serves the devices of a host from its start to its stop.</summary>
internal sealed class DeviceService : IHostedService, IDisposable
{
    // of options that name no logger
    private static readonly ILogger DefaultLogger = new VfioUserServerOptions().Logger;

    private readonly IServiceProvider _services;
    private readonly DeviceRegistration[] _registrations;
    private readonly IOptionsMonitor<VfioUserDeviceOptions> _options;
    private readonly IHostApplicationLifetime _lifetime;
    private readonly ILoggerFactory _loggers;
    private readonly HostingLog _log;
    private readonly ISystemdNotifier? _systemd;
    private readonly VfioUserHost _host;
    private readonly List<ServedDevice> _devices = [];

    public DeviceService(
        IServiceProvider services,
        IEnumerable<DeviceRegistration> registrations,
        IOptionsMonitor<VfioUserDeviceOptions> options,
        IHostApplicationLifetime lifetime,
        ILoggerFactory loggers)
    {
        _services = services;
        _registrations = [.. registrations];
        _options = options;
        _lifetime = lifetime;
        _loggers = loggers;
        _log = new HostingLog(loggers.CreateLogger("VfioUser.Hosting"));
        _systemd = services.GetService<ISystemdNotifier>();
        _host = new VfioUserHost((services.GetService<VfioUserHostOptions>() ?? new VfioUserHostOptions()) with
        {
            // the container makes and disposes the devices; a restart serves the same device again
            DisposeDevices = false,
        });
    }

    /// <summary>A snapshot of the devices started so far, in the order of registration.</summary>
    public IReadOnlyList<ServedDevice> Devices
    {
        get
        {
            lock (_devices)
                return [.. _devices];
        }
    }

    /// <summary>Number of registered devices.</summary>
    public int Count => _registrations.Length;

    /// <summary>Makes all devices and listens for each; on a failure none is served.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        using ListenFds sockets = ListenFds.Take();
        try
        {
            foreach (DeviceRegistration registration in _registrations)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Start(registration, sockets);
            }
        }
        catch
        {
            await StopDevicesAsync(cancellationToken).ConfigureAwait(false);
            throw;
        }
        foreach (string name in sockets.Unclaimed)
            _log.SocketNotUsed(name);
        ReportStatus(string.Create(CultureInfo.InvariantCulture, $"Serving {string.Join(", ", Devices.Select(device => $"{device.Name} on {device.Address}"))}"));
    }

    /// <summary>Stops listening and disconnects the clients; waits for the devices until the host's shutdown timeout.</summary>
    /// <exception cref="InvalidOperationException">The host stops because a device failed.</exception>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await StopDevicesAsync(cancellationToken).ConfigureAwait(false);
        if (Devices.FirstOrDefault(device => device.Failure is not null) is { } failed)
            throw new InvalidOperationException($"Device '{failed.Name}' cannot be served any more: {failed.Failure!.Message}", failed.Failure);
    }

    public void Dispose()
    {
        foreach (ServedDevice device in Devices)
            device.Dispose();
        _host.Dispose();
    }

    private void Start(DeviceRegistration registration, ListenFds sockets)
    {
        try
        {
            VfioUserDeviceOptions options = _options.Get(registration.Name);
            SafeSocketHandle? socket = sockets.Claim(registration.Name) ?? (_registrations.Length == 1 ? sockets.ClaimFirst() : null);
            DeviceServers servers = new(options.SocketPath, socket, ServerOptions(registration.Name, options.Server));
            ServedDevice? device = null;
            try
            {
                if (socket is null && string.IsNullOrEmpty(options.SocketPath))
                    throw new InvalidOperationException($"neither {nameof(options.SocketPath)} is set nor has systemd passed a socket of that name.");
                device = new ServedDevice(registration.Name, registration.Create(_services), options, servers, _host, _log);
                device.Start(Failed);
            }
            catch
            {
                device?.Dispose();
                servers.Dispose();
                throw;
            }
            lock (_devices)
                _devices.Add(device);
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"Device '{registration.Name}' ({registration.Type}) cannot be served: {e.Message}", e);
        }
    }

    private VfioUserServerOptions ServerOptions(string name, VfioUserServerOptions options) => options with
    {
        Name = options.Name ?? name,
        Logger = ReferenceEquals(options.Logger, DefaultLogger) ? _loggers.CreateLogger("VfioUser.Device." + name) : options.Logger,
        MeterFactory = options.MeterFactory ?? _services.GetService<IMeterFactory>(),
    };

    private async Task StopDevicesAsync(CancellationToken timeout)
    {
        Task stopped = Task.WhenAll(Devices.Select(device => device.StopAsync()));
        try
        {
            await stopped.WaitAsync(timeout).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            foreach (ServedDevice busy in Devices.Where(device => !device.Completion.IsCompleted))
                _log.StillBusy(busy.Name);
        }
        Dispose();
    }

    private void Failed(ServedDevice device)
    {
        // stop first: reporting the status may fail
        _lifetime.StopApplication();
        ReportStatus($"Device {device.Name} cannot be served any more: {device.Failure!.Message}");
    }

    private void ReportStatus(string status)
    {
        if (_systemd is { IsEnabled: true })
            _systemd.Notify(new ServiceState("STATUS=" + status.ReplaceLineEndings(" ")));
    }
}
