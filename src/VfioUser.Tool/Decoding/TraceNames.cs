using VfioUser.Tool.Registers;

namespace VfioUser.Tool.Decoding;

/// <summary>The names of registers in a trace, once they are read from the server. Any thread.</summary>
internal sealed class TraceNames
{
    private readonly Lock _reading = new();
    private RegisterNames? _names;
    private bool _isOver;

    /// <summary>Null while they are not known.</summary>
    public RegisterNames? Current => Volatile.Read(ref _names);

    /// <summary>Reads them unless that was done before, or the server is known to have none.</summary>
    /// <param name="read">Reads them from the server. <see cref="ToolException"/>: it has none. Other exceptions pass through, and the next call
    /// tries again.</param>
    /// <returns>Why there are none, the first time; else null.</returns>
    public string? ReadOnce(Func<RegisterNames> read)
    {
        lock (_reading)
        {
            if (_isOver)
                return null;
            try
            {
                Volatile.Write(ref _names, read());
                _isOver = true;
                return null;
            }
            catch (ToolException e)
            {
                _isOver = true;
                return e.Message;
            }
        }
    }
}
