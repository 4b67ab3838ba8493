using Microsoft.Extensions.Options;
using VfioUser.Hosting;

namespace VfioUser.Testing.Hosting;

/// <summary>Gives each device of a program a socket in a folder of the test, and notes the exceptions of its code.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class DeviceSockets : IPostConfigureOptions<VfioUserDeviceOptions>, IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hosted-");
    private readonly Lock _lock = new();
    private readonly Dictionary<string, string> _paths = new(StringComparer.Ordinal);
    private readonly List<DeviceExceptionContext> _exceptions = [];
    private readonly List<DeviceExceptionContext> _unseen = [];

    public string[] Names
    {
        get
        {
            lock (_lock)
                return [.. _paths.Keys.Order(StringComparer.Ordinal)];
        }
    }

    public void PostConfigure(string? name, VfioUserDeviceOptions options)
    {
        Action<DeviceExceptionContext>? next = options.Server.OnDeviceException;
        options.Server = options.Server with
        {
            OnDeviceException = context =>
            {
                lock (_lock)
                {
                    _exceptions.Add(context);
                    _unseen.Add(context);
                }
                next?.Invoke(context);
            },
        };
        lock (_lock)
        {
            // a name may have any length
            if (!_paths.TryGetValue(name ?? "", out string? path))
                _paths.Add(name ?? "", path = Path.Combine(_folder.FullName, $"{_paths.Count}.sock"));
            options.SocketPath = path;
        }
    }

    /// <exception cref="ArgumentException">The program has no such device.</exception>
    public string PathOf(string device)
    {
        lock (_lock)
        {
            if (_paths.TryGetValue(device, out string? path))
                return path;
            string names = string.Join(", ", _paths.Keys.Order(StringComparer.Ordinal).Select(name => $"'{name}'"));
            throw new ArgumentException($"The program serves no device '{device}': there {(_paths.Count == 0 ? "is none" : $"are {names}")}.", nameof(device));
        }
    }

    public DeviceExceptionContext[] AcceptExceptions()
    {
        lock (_lock)
        {
            _unseen.Clear();
            return [.. _exceptions];
        }
    }

    public DeviceExceptionContext[] TakeUnseen()
    {
        lock (_lock)
        {
            DeviceExceptionContext[] unseen = [.. _unseen];
            _unseen.Clear();
            return unseen;
        }
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
